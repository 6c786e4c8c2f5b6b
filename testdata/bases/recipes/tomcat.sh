# What an application sees of tomcat's image: the folders, the variables, a server on 8080. Java itself is
# too big for a test; busybox's httpd serves webapps instead.
# packages: busybox-static
# shellcheck shell=bash
set -euo pipefail
root=$1
cd "$root"
mkdir -p bin etc tmp usr/bin usr/sbin usr/local/tomcat/{bin,conf,lib,logs,temp,webapps,work} root var
chmod 1777 tmp
chmod 700 root
install -m 755 /bin/busybox bin/busybox
for applet in $(bin/busybox --list); do
    [ "$applet" = busybox ] || ln -sf busybox "bin/$applet"
done
echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
echo 'root:x:0:' >etc/group
cat >usr/local/tomcat/bin/catalina.sh <<'END'
#!/bin/sh
# catalina.sh run: serve $CATALINA_HOME/webapps on ${TOMCAT_PORT:-8080}.
case ${1:-} in
    run) echo "Server startup, webapps: $(ls "$CATALINA_HOME/webapps" | tr '\n' ' ')"
         exec httpd -f -p "${TOMCAT_PORT:-8080}" -h "$CATALINA_HOME/webapps" ;;
    version) echo "Server version: test" ;;
    *) echo "usage: catalina.sh run|version" >&2; exit 1 ;;
esac
END
chmod 755 usr/local/tomcat/bin/catalina.sh
printf '%s\n' 'ENV CATALINA_HOME=/usr/local/tomcat' \
    'ENV PATH=/usr/local/tomcat/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    'WORKDIR /usr/local/tomcat' 'EXPOSE 8080' 'CMD ["catalina.sh", "run"]' >"$2"
