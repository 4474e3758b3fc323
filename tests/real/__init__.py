"""Real parts: two Jaegers, Envoy and fortio, the mesh that they make, and tests of traceviz against them.

`make test-real` runs these tests, `make mesh` leaves the mesh running. `jaegers.RealJaeger` and `envoys.RealEnvoy`
are one program each, for any test that needs it.
"""
