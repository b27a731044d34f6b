#include "pull/spot.h"

#include <stdio.h>
#include <string.h>

void spot_note(struct spot *spot, const struct receiver *receiver)
{
	snprintf(spot->file, sizeof(spot->file), "%s", receiver_file(receiver));
	spot->position = receiver_position(receiver);
}

bool spot_is_at(const struct spot *spot, const struct receiver *receiver)
{
	return spot->position == receiver_position(receiver) &&
	       strcmp(spot->file, receiver_file(receiver)) == 0;
}
