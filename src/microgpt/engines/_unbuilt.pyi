# Written by CMake where the native engine could not be built.
REASON: str
