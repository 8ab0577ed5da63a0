#!/bin/sh
# Installs the Debian packages that are missing: scripts/deps.sh [build|demo|ci]. Without an argument
# those of the tests too, with demo those to draw its curves, with ci also the second compiler. Quiet
# when nothing is missing; without root it prints the line to run and fails.
set -eu

packages='gcc libc6-dev make pkg-config zlib1g-dev libjansson-dev libxxhash-dev libpng-dev
    libjpeg62-turbo-dev'
case ${1:-} in
build) ;;
demo) packages="$packages gnuplot-nox" ;;
'' | ci)
    packages="$packages bats mandoc jq gzip gnuplot-nox dataset-fashion-mnist"
    [ -z "${1:-}" ] || packages="$packages clang libomp-dev"
    ;;
*)
    echo "usage: deps.sh [build|demo|ci]" >&2
    exit 2
    ;;
esac

missing=
for p in $packages; do
    case $(dpkg-query -W -f='${Status}' "$p" 2>/dev/null) in
    'install ok installed') ;;
    *) missing="$missing $p" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root="env"
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n env"
else
    echo "missing packages; run: sudo apt-get install$missing" >&2
    exit 1
fi
echo "installing$missing" >&2
$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq update >&2
# shellcheck disable=SC2086
$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y \
    --no-install-recommends $missing >/dev/null
