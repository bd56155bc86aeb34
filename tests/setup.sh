#!/usr/bin/env bash
# Sets up what building (`run`) or testing (`test`) needs: as root by apt-get, otherwise it prints the one line to run.
# A test tool that cannot be had is no error here: its tests skip aloud (in CI that is a failure).
set -u
kind=${1:-run}
here=$(cd "$(dirname "$0")/.." && pwd)

case $kind in
run) tools=(cc:gcc make:make) ;;
test) tools=(cc:gcc make:make sipp:sip-tester baresip:baresip-core sox:sox tshark:tshark python3:python3) ;;
*)
	echo "usage: tests/setup.sh run|test" >&2
	exit 2
	;;
esac

command -v cargo >/dev/null || {
	echo "Rust is missing: install it with rustup (https://rustup.rs), then run make again." >&2
	exit 1
}

missing=()
for pair in "${tools[@]}"; do
	command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
# Debian's python3 makes no virtual environments without this package.
[ "$kind" = test ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null && missing+=(python3-venv)
# The servers' programs stand beside no other on the path.
[ "$kind" = test ] && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && missing+=(postgresql)
# A library that is loaded before the program, and no program of its own.
[ "$kind" = test ] && ! ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 && missing+=(libfaketime)
if [ ${#missing[@]} -gt 0 ]; then
	line="apt-get install -y --no-install-recommends ${missing[*]}"
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "Installing ${missing[*]} ..."
		export DEBIAN_FRONTEND=noninteractive
		timeout 300 apt-get update -qq >/dev/null 2>&1
		timeout 600 $line >/dev/null 2>&1 || echo "Could not install all of: ${missing[*]}" >&2
	else
		echo "Please run once:  sudo $line" >&2
	fi
fi
command -v cc >/dev/null || exit 1

if [ "$kind" = test ]; then
	# Tools of Python live in environments of their own beside the build, for tests only.
	python_tool() { # module, package
		local venv="${CARGO_TARGET_DIR:-$here/target}/tools/$1"
		"$venv/bin/python" -c "import $1" 2>/dev/null && return
		mkdir -p "$(dirname "$venv")"
		{ python3 -m venv "$venv" && timeout 300 "$venv/bin/pip" install -q --disable-pip-version-check "$2"; } >/dev/null 2>&1 ||
			echo "Could not install $2; its tests are skipped." >&2
	}
	python_tool pjsua2 pjsua2-python==2.15.1.post1
	python_tool schemathesis schemathesis==4.32.5
fi
exit 0
