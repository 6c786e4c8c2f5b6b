mkdir -p "$DESTDIR/usr/bin" "$DESTDIR/etc/tool"
cp tool.o "$DESTDIR/usr/bin/tool"
chmod 755 "$DESTDIR/usr/bin/tool"
cp config.status "$DESTDIR/etc/tool/build"
