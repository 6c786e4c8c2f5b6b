mkdir -p d/empty
