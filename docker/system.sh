# Installs packages of the distribution: sh system.sh NAME...
# It leaves nothing that differs between two installations of the same versions: no lists, caches, logs and ids, and
# one time on what the installation itself wrote. /tmp is a mount, so what lies there is in no layer.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C TZ=UTC
# Also the day on which a package's user is made, and the times inside of caches (fonts, Python).
export SOURCE_DATE_EPOCH=946684800

if [ -n "${SSL_CERT_FILE:-}" ] && [ ! -f "$SSL_CERT_FILE" ]; then unset SSL_CERT_FILE; fi
before=/tmp/bake-before
touch -d "@$(($(date +%s) - 2))" "$before"

apt() {
  apt-get -q -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 ${SSL_CERT_FILE:+-o "Acquire::https::CAInfo=$SSL_CERT_FILE"} "$@"
}

if command -v apt-get >/dev/null; then
  apt update
  apt install -y --no-install-recommends "$@"
  apt clean
  rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
elif command -v apk >/dev/null; then
  export SSL_CA_CERT_FILE="${SSL_CERT_FILE:-}"
  [ -n "$SSL_CA_CERT_FILE" ] || unset SSL_CA_CERT_FILE
  apk add --no-cache "$@"
else
  echo "bake: the base image has neither apt-get nor apk, which \`system\` needs" >&2
  exit 1
fi

rm -f /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/lib/dbus/machine-id
if [ -s /etc/machine-id ]; then : >/etc/machine-id; fi
if [ -d /var/log ]; then find /var/log -xdev -type f -exec rm -f {} +; fi
# What is mounted here cannot be changed, and is in no layer.
find / -xdev -mindepth 1 \( -path /proc -o -path /sys -o -path /dev -o -path /tmp \) -prune -o -newer "$before" \
  -exec sh -c 'touch -h -d "2000-01-01 00:00:00" "$@" 2>/dev/null || true' touch {} +
