"""What processes often need beside them, as containers that start without being told anything."""

from collections.abc import Mapping

from bake.config import Dependency

KNOWN: Mapping[str, Dependency] = {
    "elasticsearch": Dependency(
        image="elasticsearch:9.2.0", env={"discovery.type": "single-node", "xpack.security.enabled": "false"}
    ),
    "mailpit": Dependency(image="axllent/mailpit"),
    "mariadb": Dependency(image="mariadb:lts", env={"MARIADB_ROOT_PASSWORD": "root", "MARIADB_DATABASE": "app"}),
    "memcached": Dependency(image="memcached:alpine"),
    "minio": Dependency(image="minio/minio", command="server /data"),
    "mongo": Dependency(image="mongo:8"),
    "mysql": Dependency(image="mysql:8", env={"MYSQL_ROOT_PASSWORD": "root", "MYSQL_DATABASE": "app"}),
    "nats": Dependency(image="nats:alpine", command="-js"),
    "postgres": Dependency(
        image="postgres:17-alpine",
        env={"POSTGRES_USER": "postgres", "POSTGRES_PASSWORD": "postgres", "POSTGRES_DB": "app"},
    ),
    "rabbitmq": Dependency(image="rabbitmq:4-alpine"),
    "redis": Dependency(image="redis:8-alpine"),
    "valkey": Dependency(image="valkey/valkey:alpine"),
}
"""Name in `needs` -> its container, reached under that name. A table of smoke.dependencies goes before it."""

READY: Mapping[str, str] = {
    "mariadb": "healthcheck.sh --connect --innodb_initialized",
    "mongo": "mongosh --quiet --eval db.version()",
    "mysql": "mysqladmin ping --host=127.0.0.1 --silent",
    # By address: while it sets itself up, a server for that alone listens on a socket.
    "postgres": "pg_isready --host=127.0.0.1",
    "rabbitmq": "rabbitmq-diagnostics --quiet ping",
    "redis": "redis-cli ping",
    "valkey": "valkey-cli ping",
}
"""The last part of an image's name -> the command in it that succeeds once it answers."""
