ln -s d l; ln -s /d/sub abs; ln -s ../../../d out
