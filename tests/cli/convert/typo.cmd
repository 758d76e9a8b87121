$Q convert models/market --lossi
