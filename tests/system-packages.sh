#!/bin/sh
# Installs what tests need of the operating system, where it may; else says what is missing.
set -eu

# Commands (any of them will do), the package that has them, and what is tested with it.
needed() {
    echo "chromium,chromium-browser chromium the page"
    echo "redis-server redis-server the realtime view in Redis"
    echo "postgres,/usr/lib/postgresql/*/bin/postgres postgresql the database"
    echo "node nodejs Kinesis and the stacks of AWS"
    echo "npm npm Kinesis and the stacks of AWS"
    echo "javac openjdk-17-jdk-headless Flink"
    echo "mvn maven Flink"
    echo "promtool prometheus the rules that Prometheus alerts by"
}

is_there() {
    for command in $(echo "$1" | tr , ' '); do
        command -v "$command" >/dev/null && return
    done
    return 1
}

needed | while read -r commands package what; do
    if is_there "$commands"; then
        continue
    elif command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "installing $package for the tests of $what"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "$package" >/dev/null </dev/null
    else
        echo "$package is missing: the tests of $what will be skipped." \
            "Hint: apt-get install $package" >&2
    fi
done
