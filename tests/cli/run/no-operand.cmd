$Q run
