// Holds memory and waits for a signal, having written its number into the file that it is told.
#include "card.h"

int main(int count, char **arguments) {
    (void)count;
    open_card();
    allocated(1 << 20);
    char beside[4096];
    snprintf(beside, sizeof beside, "%s.part", arguments[1]);
    FILE *file = fopen(beside, "w");
    if (!file || fprintf(file, "%d", getpid()) < 0 || fclose(file)) return 1;
    if (rename(beside, arguments[1])) return 1;
    for (;;) pause();
}
