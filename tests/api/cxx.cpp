// quantz.h from C++: compiles without a warning, links by C names, works.
#include <quantz.h>
#include <cstdio>
#include <cstring>
#include <string>

namespace {
std::string last_line;
void on_log(void *, int, const char *line) { last_line = line; }
int on_text(void *user, const char *text, std::size_t n) {
    static_cast<std::string *>(user)->append(text, n);
    return 0;
}
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    quantz_options o;
    quantz_defaults(&o, sizeof o);
    o.threads = 1;
    o.log = on_log;
    quantz_context *q = nullptr;
    quantz_model *m = nullptr;
    quantz_answer a;
    std::string text;
    a.size = sizeof a;
    quantz_status st = quantz_open(&o, &q);
    if (st == QUANTZ_OK) st = quantz_model_open(q, argv[1], &m);
    if (st == QUANTZ_OK) st = quantz_run(m, "75 F", nullptr, on_text, &text, &a);
    if (st != QUANTZ_OK) std::printf("%s\n", quantz_error(q));
    const bool ok = st == QUANTZ_OK && !text.empty() && a.new_tokens > 0;
    quantz_model_close(m);
    const bool refuses = quantz_model_open(q, "no/such/model", &m) == QUANTZ_EUSAGE && m == nullptr && std::strstr(quantz_error(q), "no/such/model");
    quantz_close(q);
    std::printf("c++: %s\n", ok && refuses ? "ok" : "failed");
    return ok && refuses ? 0 : 1;
}
