# shellcheck shell=bash
# Shared by the recipes: a minimal Debian root with the machine's own client configuration.

# debian_root ROOT PACKAGE...: bookworm, minimal, with the packages. The way to the mirror (sources, proxy,
# certificates) is this machine's; it is copied into the base at test time and never into the repository.
debian_root() {
    local root=$1 acquire include
    shift
    include=$(IFS=,; echo "ca-certificates${*:+,$*}")
    acquire=$(mktemp)
    # Proxy, certificates, clock; not the index selection and the like.
    apt-config dump | grep -E '^Acquire::(https?|ftp|Check-|Retries|Force|.*[Pp]roxy)' | grep -v '""' >"$acquire" || true
    rmdir "$root"
    # No documents, no translations, no package lists: the base is only built upon.
    mmdebstrap --quiet --mode=root --variant=minbase --format=directory --include="$include" \
        --aptopt='APT::Install-Recommends "false"' --aptopt="$acquire" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt=force-unsafe-io \
        bookworm "$root" ${STAVE_BASE_MIRROR:+"$STAVE_BASE_MIRROR"}
    chmod 755 "$root"
    cp "$acquire" "$root/etc/apt/apt.conf.d/99machine"
    rm -f "$acquire" "$root"/etc/apt/apt.conf.d/99mmdebstrap
    if [ -z "${STAVE_BASE_MIRROR:-}" ]; then
        local f
        for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
            # Only Debian's own archives: the others' keys are not in the base.
            if [ -f "$f" ] && grep -q 'debian' "$f"; then
                [ -e "$root/etc/apt/sources.list.d/machine.done" ] || rm -f "$root/etc/apt/sources.list"
                : >"$root/etc/apt/sources.list.d/machine.done"
                cp "$f" "$root/etc/apt/${f#/etc/apt/}"
            fi
        done
        rm -f "$root/etc/apt/sources.list.d/machine.done"
    fi
    printf 'Binary::apt::APT::Keep-Downloaded-Packages "false";\nAcquire::Languages "none";\n' \
        >"$root/etc/apt/apt.conf.d/98base"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    machine_ca "$root"
    rm -rf "$root"/var/cache/apt/*.bin "$root"/var/lib/apt/lists/* "$root"/var/log/*.log "$root"/var/log/apt/*
    : >"$root/etc/resolv.conf"
    rm -f "$root/etc/hostname"
    rm -rf "${root:?}"/dev
    mkdir -p "$root/dev"
}

# The machine's CA bundle takes the place of the distribution's.
machine_ca() {
    if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
        mkdir -p "$1/etc/ssl/certs"
        cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
    fi
}

# The machine's npm settings that say how to reach the registry, without anything secret.
machine_npm() {
    local key value
    : >"$1/etc/npmrc"
    for key in registry cafile proxy https-proxy; do
        value=$(npm config get "$key" 2>/dev/null || true)
        case $value in '' | null | undefined) ;; *) echo "$key=$value" >>"$1/etc/npmrc" ;; esac
    done
    printf 'audit=false\nfund=false\nupdate-notifier=false\n' >>"$1/etc/npmrc"
}
