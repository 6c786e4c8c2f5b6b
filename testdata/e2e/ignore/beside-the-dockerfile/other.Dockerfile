FROM busybox
COPY . /c
