"""Digital twins: what each machine computes, in this process; named and recorded as twins, always."""
