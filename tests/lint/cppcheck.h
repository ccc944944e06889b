/* What cppcheck is told of macros whose headers it does not read. */
#define json_array_foreach(array, index, value)                                                    \
    for (index = 0; (value = json_array_get(array, index)); index++)
