// Opens the card and asks for nothing of it.
#include "card.h"

int main(void) {
    open_card();
}
