# shellcheck shell=bash
mkdir -p srv/full srv/real opt; echo new > srv/full/one; echo x > srv/real/x; chmod 700 srv/full; ln -s /other opt/link
tar --sort=name --mtime=@1000000000 --owner=0 --group=0 -cf a.tar srv opt; rm -r srv opt
