/* What an address says, and whose machine it is. Needs no libcurl. */
#include "remote/http.h"
#include "base/size.h"
#include <stdio.h>
#include <string.h>

static bool here(const char *host) {
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

qz_status qz_http_address(const qz_http_options *o, char host[256], qz_error *err) {
    const char *at = o->url;
    if (qz_str_starts(at, "http://")) at += 7;
    else if (qz_str_starts(at, "https://")) at += 8;
    else
        return qz_fail(err, QZ_EUSAGE, "bad address '%s': expected http://HOST:PORT[/v1], for example "
                                       "http://127.0.0.1:8080/v1", o->url);
    const bool six = *at == '[';
    const size_t n = six ? strcspn(at + 1, "]") : strcspn(at, ":/?#");
    at += six;
    if (n == 0 || n > 255 || memchr(at, '@', strcspn(at, "/")) || strpbrk(at, " \t\r\n\\?#"))
        return qz_fail(err, QZ_EUSAGE, "bad address '%s': expected http://HOST:PORT[/v1] without name, password, "
                                       "blanks or parameters", o->url);
    (void)snprintf(host, 256, "%.*s", (int)n, at);
    if (!here(host) && !qz_list_has(o->allowed, host))
        return qz_fail(err, QZ_EUSAGE,
                       "'%s' is not this machine: a server elsewhere is spoken to only when it is named, "
                       "--runtime-host %s", host, host);
    return QZ_OK;
}
