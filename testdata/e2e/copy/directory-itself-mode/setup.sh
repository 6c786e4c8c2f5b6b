# shellcheck shell=bash
chmod 711 m
