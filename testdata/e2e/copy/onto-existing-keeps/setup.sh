# shellcheck shell=bash
chmod 700 m m/real; chmod 755 m/sticky
