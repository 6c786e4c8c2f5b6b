#!/usr/bin/env sh
exec "$@"
