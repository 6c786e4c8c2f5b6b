# shellcheck shell=bash
touch -d @1000000001 f; touch -d @1000000002 d/sub/g; touch -d @1000000003 d/sub; touch -d @1000000004 d
