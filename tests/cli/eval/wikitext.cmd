$Q eval models/market --text wikitext
