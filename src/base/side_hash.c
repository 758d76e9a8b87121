#include "base/side_hash.h"
#include "base/size.h"
#include <pthread.h>
#include <stdbool.h>

struct qz_side_hash {
    qz_sha256 *sha;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more, taken;
    struct { const void *bytes; size_t n; } slots[QZ_SIDE_SLOTS];
    size_t given, done; /* buffers; done <= given <= done + QZ_SIDE_SLOTS */
    bool end;
};

static void *work(void *arg) {
    qz_side_hash *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->done == s->given && !s->end) (void)pthread_cond_wait(&s->more, &s->lock);
        if (s->done == s->given) break;
        const void *bytes = s->slots[s->done % QZ_SIDE_SLOTS].bytes;
        const size_t n = s->slots[s->done % QZ_SIDE_SLOTS].n;
        (void)pthread_mutex_unlock(&s->lock);
        qz_sha256_update(s->sha, bytes, n);
        (void)pthread_mutex_lock(&s->lock);
        s->done++;
        (void)pthread_cond_signal(&s->taken);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

qz_side_hash *qz_side_hash_open(qz_sha256 *sha) {
    qz_side_hash *s = qz_calloc_array(1, sizeof *s);
    if (s == NULL) return NULL;
    s->sha = sha;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->more, NULL);
    (void)pthread_cond_init(&s->taken, NULL);
    if (pthread_create(&s->thread, NULL, work, s) == 0) return s;
    qz_free(s);
    return NULL;
}

static void wait_for(qz_side_hash *s, size_t k) {
    while (s->given - s->done > k) (void)pthread_cond_wait(&s->taken, &s->lock);
}

void qz_side_hash_add(qz_side_hash *s, const void *bytes, size_t n) {
    (void)pthread_mutex_lock(&s->lock);
    wait_for(s, QZ_SIDE_SLOTS - 1);
    s->slots[s->given % QZ_SIDE_SLOTS].bytes = bytes;
    s->slots[s->given % QZ_SIDE_SLOTS].n = n;
    s->given++;
    (void)pthread_cond_signal(&s->more);
    (void)pthread_mutex_unlock(&s->lock);
}

void qz_side_hash_wait(qz_side_hash *s, size_t k) {
    (void)pthread_mutex_lock(&s->lock);
    wait_for(s, k);
    (void)pthread_mutex_unlock(&s->lock);
}

void qz_side_hash_close(qz_side_hash *s) {
    if (s == NULL) return;
    (void)pthread_mutex_lock(&s->lock);
    s->end = true; /* what was given is finished first */
    (void)pthread_cond_signal(&s->more);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    (void)pthread_cond_destroy(&s->more);
    (void)pthread_cond_destroy(&s->taken);
    (void)pthread_mutex_destroy(&s->lock);
    qz_free(s);
}
