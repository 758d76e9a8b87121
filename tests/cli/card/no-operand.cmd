$Q card
