// Asks what needs no driver initialised, and both it and its copy use the card: the copy holds more.
#include <sys/wait.h>
#include "card.h"

int cuDriverGetVersion(int *version);
int nvmlInit_v2(void);

int main(void) {
    int version, status;
    must(cuDriverGetVersion(&version));
    must(nvmlInit_v2());
    pid_t copy = fork();
    open_card();
    must(cuMemFreeAsync(allocated(copy ? 1000 : 2000), 0));
    if (copy && (waitpid(copy, &status, 0) != copy || status)) return 1;
}
