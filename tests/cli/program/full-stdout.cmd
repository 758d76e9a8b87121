$Q types > /dev/full
