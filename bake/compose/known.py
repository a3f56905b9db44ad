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
