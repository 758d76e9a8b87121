$Q pick gpt-oss-20b --hardware h100-80gb
