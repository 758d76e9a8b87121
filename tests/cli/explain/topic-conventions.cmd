$Q explain conventions
