/* Error pages of servers that were saved under a file's name. */
#ifndef QZ_BASE_PAGE_H
#define QZ_BASE_PAGE_H
#include <stdbool.h>
#include <stddef.h>

/* True if the text begins like HTML or XML: no format of this program does. */
bool qz_is_page(const void *text, size_t n);
/* The same of a text that may itself begin with "<": only what opens a document (<!DOCTYPE, <?xml, <html …) counts. */
bool qz_is_document(const void *text, size_t n);
#define QZ_PAGE_NAME "a page of HTML or XML (a server's answer instead of the file)"
#define QZ_PAGE_CURE "download the file again, signed in if it is gated"
#endif
