$Q pick "$W/none.json"
