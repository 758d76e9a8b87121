$Q explain glossary
