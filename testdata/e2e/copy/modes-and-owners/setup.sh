# shellcheck shell=bash
cd m || exit 1
for mode in 0600 0640 0755 0444 0000 4755 2755 1644 6711; do echo "$mode" > "f$mode"; chmod "$mode" "f$mode"; done
echo s > suid; chmod 4755 suid
mkdir closed sticky setgid ro; echo x > closed/x; chmod 700 closed; chmod 1777 sticky; chmod 2755 setgid; chmod 555 ro
chown 1234:5678 f; chown 1000:1000 sticky
