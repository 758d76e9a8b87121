$Q explain salience
