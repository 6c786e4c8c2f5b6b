module worker
