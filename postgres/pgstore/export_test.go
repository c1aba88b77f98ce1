package pgstore

// Die closes the store as if its process had died: its leases remain until they end.
func (s *Store) Die() error {
	s.gate.Lock()
	s.closed = true
	s.gate.Unlock()
	s.stop()
	s.keeping.Wait()
	return s.pool.Close()
}
