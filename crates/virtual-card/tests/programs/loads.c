// Loads each library that it is told; with "stand-in" first, each has to be the one that stands in.
#include <dlfcn.h>
#include "card.h"

int main(int count, char **arguments) {
    int failed = 0, stands_in = told(arguments, "stand-in");
    open_card();
    for (int i = 1 + stands_in; i < count; i++) {
        void *library = dlopen(arguments[i], RTLD_NOW);
        if (!library) {
            fprintf(stderr, "%s\n", dlerror());
            failed = 1;
        } else if (stands_in && dlsym(library, "cuInit") != dlsym(RTLD_DEFAULT, "cuInit")) {
            fprintf(stderr, "%s is another library\n", arguments[i]);
            failed = 1;
        }
    }
    allocated(512);
    return failed;
}
