// Links libcamber.so, so that it is built.
