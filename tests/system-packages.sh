#!/bin/sh
# Installs what tests need of the operating system, where it may; else says what is missing.
set -eu

command -v chromium >/dev/null || command -v chromium-browser >/dev/null && exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing chromium for the page's tests"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
else
    echo "chromium is missing: the page's tests will be skipped. Hint: apt-get install chromium" >&2
fi
