/* The one place that speaks to a network: HTTP to a server that the user names. Addresses are those of this machine
 * (127.0.0.0/8, ::1) unless the host was allowed by name; what a name resolves to is looked at when the connection is
 * made. No proxies, redirects, cookies or credentials; replies and times are bounded.
 *   qz_http *h; qz_http_open(&(qz_http_options){"http://127.0.0.1:8080", NULL, 60}, &h, err);
 *   qz_http_call(h, "/v1/models", NULL, &reply, err); qz_http_close(h).
 * Errors: QZ_EUSAGE for an address that is none or not allowed, QZ_EUNSUPPORTED in a build without libcurl, QZ_EIO for
 * whatever the connection or an HTTP status says, QZ_EFORMAT for a reply that is too large. */
#ifndef QZ_REMOTE_HTTP_H
#define QZ_REMOTE_HTTP_H
#include "base/status.h"
#include "base/str.h"

enum { QZ_HTTP_REPLY = 64 << 20 }; /* bytes of a reply at most */

typedef struct qz_http qz_http;
typedef struct {
    const char *url;        /* http://HOST:PORT[/PATH] or https:// */
    const char *allowed;    /* hosts with commas that are allowed besides this machine; NULL: none */
    double seconds;         /* of one call at most; 0: 600 */
    size_t reply;           /* bytes of a reply at most; 0: QZ_HTTP_REPLY */
} qz_http_options;
/* Looks at the address alone, with or without libcurl. */
qz_status qz_http_address(const qz_http_options *o, char host[256], qz_error *err);
qz_status qz_http_open(const qz_http_options *o, qz_http **out, qz_error *err);
void qz_http_close(qz_http *h);
const char *qz_http_url(const qz_http *h);

/* GET (body NULL) or POST of JSON to the server's root + path. reply is cleared first. status (may be NULL): then an
 * HTTP status of 400 and more is no error. */
qz_status qz_http_call(qz_http *h, const char *path, const char *body, qz_str *reply, long *status, qz_error *err);

/* Many at once, `width` of them in flight. Streams are told piece by piece. */
typedef struct {
    const char *path, *body;
    void (*piece)(void *arg, double seconds, const char *bytes, size_t n); void *arg; /* seconds since it was sent */
    double seconds;         /* filled: from sending to the last byte */
    bool done;              /* filled: answered in whole with a status below 400 */
    qz_error why;           /* filled: else */
} qz_http_job;
qz_status qz_http_many(qz_http *h, qz_http_job *jobs, size_t n, size_t width, qz_error *err);
#endif
