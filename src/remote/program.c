#include "remote/program.h"
#include "base/io.h"
#include "base/size.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT_RUN = 127 };

static void become(char *const argv[], int out) {
    const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in >= 0) (void)dup2(in, 0);
    (void)dup2(out, 1);
    (void)dup2(out, 2);
    (void)execv(argv[0], argv);
    _exit(CANNOT_RUN);
}

/* false: out of time, or (*much) more output than allowed. */
static bool hear(int fd, const qz_program_bounds *most, double end, qz_str *out, bool *much) {
    char buf[4096];
    for (;;) {
        const double left = end - qz_now();
        struct pollfd p = {fd, POLLIN, 0};
        if (left <= 0) return false;
        const int ready = poll(&p, 1, (int)(left * 1000) + 1);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        const ssize_t n = read(fd, buf, sizeof buf);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return true;
        if (out->len + (size_t)n > most->bytes) return *much = true, false;
        qz_str_append(out, buf, (size_t)n);
    }
}

/* Its end, as *status; false: it outlives its time. */
static bool ended(pid_t pid, double end, int *status) {
    for (;;) {
        const pid_t got = waitpid(pid, status, WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR)) return true;
        if (qz_now() >= end) return false;
        (void)poll(NULL, 0, 5);
    }
}

static void last_line(const qz_str *out, char line[200]) {
    size_t end = out->len;
    while (end && strchr("\r\n ", out->ptr[end - 1])) end--;
    size_t begin = end;
    while (begin && out->ptr[begin - 1] != '\n') begin--;
    (void)snprintf(line, 200, "%.*s", (int)qz_min_size(end - begin, 190), out->ptr ? out->ptr + begin : "");
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
}

qz_status qz_program_run(char *const argv[], const qz_program_bounds *most, qz_str *out, qz_error *err) {
    int fd[2], status = 0;
    char said[200];
    if (access(argv[0], X_OK) != 0)
        return qz_fail(err, QZ_EUSAGE, "cannot run '%s': %s; expected the path of a program", argv[0], strerror(errno));
    if (pipe2(fd, O_CLOEXEC) != 0) return qz_fail(err, QZ_EIO, "cannot run '%s': %s", argv[0], strerror(errno));
    (void)fflush(stdout);
    (void)fflush(stderr);
    const pid_t pid = fork();
    if (pid == 0) become(argv, fd[1]);
    (void)close(fd[1]);
    if (pid < 0) {
        (void)close(fd[0]);
        return qz_fail(err, QZ_EIO, "cannot run '%s': %s", argv[0], strerror(errno));
    }
    const double end = qz_now() + most->seconds;
    bool much = false, whole = hear(fd[0], most, end, out, &much);
    if (!whole) (void)kill(pid, SIGKILL);
    (void)close(fd[0]);
    if (whole && !ended(pid, end, &status)) { /* it closed its output and stays */
        whole = false;
        (void)kill(pid, SIGKILL);
    }
    while (!whole && waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    last_line(out, said);
    if (out->failed) return qz_fail(err, QZ_EMEMORY, "out of memory for the output of '%s'", argv[0]);
    if (much) return qz_fail(err, QZ_EIO, "'%s' printed more than %zu bytes and was ended", argv[0], most->bytes);
    if (!whole) return qz_fail(err, QZ_EIO, "'%s' took more than %.6g s and was ended", argv[0], most->seconds);
    if (WIFSIGNALED(status))
        return qz_fail(err, QZ_EIO, "'%s' was ended by signal %d; its last line: '%s'", argv[0], WTERMSIG(status),
                       said);
    if (WEXITSTATUS(status) == CANNOT_RUN && out->len == 0)
        return qz_fail(err, QZ_EUSAGE, "cannot run '%s': it is no program of this machine", argv[0]);
    if (WEXITSTATUS(status))
        return qz_fail(err, QZ_EIO, "'%s' ended with code %d; its last line: '%s'", argv[0], WEXITSTATUS(status), said);
    return QZ_OK;
}
