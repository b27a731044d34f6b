#include "pull/spot.h"

#include <stdio.h>
#include <string.h>

void spot_note(struct spot *spot, const struct receiver *receiver)
{
	snprintf(spot->file, sizeof(spot->file), "%s", receiver_file(receiver));
	spot->position = receiver_position(receiver);
}

bool spot_is_of(const struct spot *spot, const struct receiver *receiver)
{
	return spot->position == receiver_position(receiver) &&
	       strcmp(spot->file, receiver_file(receiver)) == 0;
}

bool spot_again(struct spot *spot, const struct receiver *receiver)
{
	bool again = spot_is_of(spot, receiver);

	spot_note(spot, receiver);
	return again;
}
