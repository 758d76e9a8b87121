#include "remote/http.h"
#include "base/io.h"
#include "base/size.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct qz_http {
    char *root;              /* scheme, host and port; /v1 taken off */
    char host[256];
    bool elsewhere;          /* allowed by name */
    double seconds;
    size_t reply;
    struct curl_slist *headers;
    CURL *one;               /* of qz_http_call: keeps its connection */
};

/* One transfer. */
typedef struct {
    qz_http *h;
    qz_http_job *job;        /* NULL: of qz_http_call */
    qz_str *reply, own;
    CURL *c;
    double start;
    bool large, foreign;
    char error[CURL_ERROR_SIZE], url[1024];
} transfer;

static bool loopback(const struct sockaddr *a) {
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}
/* A name may resolve to anything: what is connected to decides. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a) {
    transfer *t = arg;
    (void)purpose;
    if (!t->h->elsewhere && !loopback(&a->addr)) {
        t->foreign = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t on_bytes(char *bytes, size_t size, size_t n, void *arg) {
    transfer *t = arg;
    n *= size;
    if (t->reply->len + n > t->h->reply) return t->large = true, 0;
    if (t->job && t->job->piece) t->job->piece(t->job->arg, qz_now() - t->start, bytes, n);
    qz_str_append(t->reply, bytes, n);
    return t->reply->failed ? 0 : n;
}

static bool set_up(transfer *t, const char *path, const char *body) {
    CURL *c = t->c;
    bool ok = true;
#define SET(option, value) ok = ok && curl_easy_setopt(c, option, value) == CURLE_OK
    (void)snprintf(t->url, sizeof t->url, "%s%s", t->h->root, path);
    SET(CURLOPT_URL, t->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT, 10L);
    SET(CURLOPT_TIMEOUT_MS, (long)(t->h->seconds * 1000));
    SET(CURLOPT_ERRORBUFFER, t->error);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_bytes);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HTTPHEADER, t->h->headers);
    SET(CURLOPT_PRIVATE, t);
    if (body) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
        SET(CURLOPT_POSTFIELDS, body);
    } else SET(CURLOPT_HTTPGET, 1L);
#undef SET
    t->error[0] = 0;
    return ok;
}

/* What the server said, as far as it fits one line. */
static void words(const qz_str *reply, char out[200]) {
    const size_t n = qz_min_size(reply->len, 199);
    for (size_t i = 0; i < n; i++) out[i] = (unsigned char)reply->ptr[i] < ' ' ? ' ' : reply->ptr[i];
    out[n] = 0;
}

static qz_status verdict(transfer *t, CURLcode code, long *status, qz_error *err) {
    char said[200];
    long http = 0;
    if (t->foreign)
        return qz_fail(err, QZ_EUSAGE, "'%s' is not this machine: it resolves to another address; name it with "
                                       "--runtime-host %s", t->h->host, t->h->host);
    if (t->large)
        return qz_fail(err, QZ_EFORMAT, "reply of '%s' is too large: expected at most %zu bytes", t->url, t->h->reply);
    if (t->reply->failed) return qz_fail(err, QZ_EMEMORY, "out of memory for a reply");
    if (code != CURLE_OK)
        return qz_fail(err, QZ_EIO, "no answer from '%s': %s; is the server still running?", t->url,
                       t->error[0] ? t->error : curl_easy_strerror(code));
    (void)curl_easy_getinfo(t->c, CURLINFO_RESPONSE_CODE, &http);
    if (status) *status = http;
    if (http < 400 || status) return QZ_OK;
    words(t->reply, said);
    return qz_fail(err, QZ_EIO, "'%s' answered with HTTP status %ld: %s", t->url, http, said);
}

qz_status qz_http_open(const qz_http_options *o, qz_http **out, qz_error *err) {
    char host[256];
    *out = NULL;
    QZ_TRY(qz_http_address(o, host, err));
    qz_http *h = qz_calloc_array(1, sizeof *h);
    if (h == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    size_t n = strlen(o->url);
    while (n && o->url[n - 1] == '/') n--;
    if (n > 3 && strncmp(o->url + n - 3, "/v1", 3) == 0) n -= 3;
    h->root = qz_alloc_array(n + 1, 1);
    if (h->root) (void)snprintf(h->root, n + 1, "%s", o->url);
    memcpy(h->host, host, sizeof host);
    h->elsewhere = qz_list_has(o->allowed, host);
    h->seconds = o->seconds > 0 ? o->seconds : 600;
    h->reply = o->reply ? o->reply : QZ_HTTP_REPLY;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        h->headers = curl_slist_append(NULL, "Content-Type: application/json");
        struct curl_slist *more = h->headers ? curl_slist_append(h->headers, "Expect:") : NULL;
        h->headers = more ? more : h->headers;
        h->one = curl_easy_init();
    }
    if (!h->root || !h->headers || !h->one) {
        qz_http_close(h);
        return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", o->url);
    }
    *out = h;
    return QZ_OK;
}
void qz_http_close(qz_http *h) {
    if (h == NULL) return;
    if (h->one) curl_easy_cleanup(h->one);
    curl_slist_free_all(h->headers);
    qz_free(h->root);
    qz_free(h);
}
const char *qz_http_url(const qz_http *h) { return h->root; }

qz_status qz_http_call(qz_http *h, const char *path, const char *body, qz_str *reply, long *status, qz_error *err) {
    transfer t = {.h = h, .reply = reply, .c = h->one, .start = qz_now()};
    qz_str_clear(reply);
    curl_easy_reset(h->one);
    if (!set_up(&t, path, body)) return qz_fail(err, QZ_EIO, "libcurl takes no call of '%s'", t.url);
    const qz_status st = verdict(&t, curl_easy_perform(h->one), status, err);
    qz_str_putc(reply, 0);
    reply->len -= reply->len > 0;
    return st;
}

static void finish(transfer *t, CURLcode code) {
    t->job->seconds = qz_now() - t->start;
    t->job->done = verdict(t, code, NULL, &t->job->why) == QZ_OK;
    qz_str_release(&t->own);
    curl_easy_cleanup(t->c);
    t->c = NULL;
}
static bool begin(CURLM *all, transfer *t, qz_http *h, qz_http_job *job) {
    *t = (transfer){.h = h, .job = job, .c = curl_easy_init(), .start = qz_now()};
    t->reply = &t->own;
    return t->c && set_up(t, job->path, job->body) && curl_multi_add_handle(all, t->c) == CURLM_OK;
}

static bool turn(CURLM *all, size_t *ended) {
    int running = 0, left = 0;
    if (curl_multi_perform(all, &running) != CURLM_OK) return false;
    for (CURLMsg *m; (m = curl_multi_info_read(all, &left)) != NULL;) {
        transfer *t = NULL;
        if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t) != CURLE_OK) continue;
        const CURLcode code = m->data.result;
        (void)curl_multi_remove_handle(all, t->c);
        finish(t, code);
        ++*ended;
    }
    return running == 0 || curl_multi_poll(all, NULL, 0, 100, NULL) == CURLM_OK;
}

qz_status qz_http_many(qz_http *h, qz_http_job *jobs, size_t n, size_t width, qz_error *err) {
    CURLM *all = curl_multi_init();
    transfer *t = qz_calloc_array(n, sizeof *t);
    size_t sent = 0, ended = 0;
    bool ok = all && t;
    while (ok && ended < n) {
        while (ok && sent < n && sent - ended < width) {
            ok = begin(all, &t[sent], h, &jobs[sent]);
            sent++;
        }
        ok = ok && turn(all, &ended);
    }
    for (size_t i = 0; t && i < sent; i++) {
        if (t[i].c == NULL) continue;
        (void)curl_multi_remove_handle(all, t[i].c);
        curl_easy_cleanup(t[i].c);
        qz_str_release(&t[i].own);
    }
    (void)curl_multi_cleanup(all);
    qz_free(t);
    return ok ? QZ_OK : qz_fail(err, QZ_EIO, "libcurl takes no calls of '%s'", h->root);
}
