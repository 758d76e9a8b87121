/* A build without libcurl: addresses are judged, nothing is spoken to. */
#include "remote/http.h"

qz_status qz_http_open(const qz_http_options *o, qz_http **out, qz_error *err) {
    char host[256];
    *out = NULL;
    QZ_TRY(qz_http_address(o, host, err));
    return qz_fail(err, QZ_EUNSUPPORTED, "this build of quantz has no libcurl and speaks to no server: install "
                                         "libcurl4-openssl-dev and build again");
}
void qz_http_close(qz_http *h) { (void)h; }
const char *qz_http_url(const qz_http *h) { return (void)h, ""; }
qz_status qz_http_call(qz_http *h, const char *path, const char *body, qz_str *reply, long *status, qz_error *err) {
    (void)h, (void)path, (void)body, (void)reply, (void)status;
    return qz_fail(err, QZ_EBUG, "no libcurl");
}
qz_status qz_http_many(qz_http *h, qz_http_job *jobs, size_t n, size_t width, qz_error *err) {
    (void)h, (void)jobs, (void)n, (void)width;
    return qz_fail(err, QZ_EBUG, "no libcurl");
}
