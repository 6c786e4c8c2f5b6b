# shellcheck shell=bash
chmod 700 d; chmod 750 d/srv
