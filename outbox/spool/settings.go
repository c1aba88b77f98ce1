package spool

import "github.com/leadwire/caddy-telecrm/outbox"

// PublishSettings implements [outbox.SettingsPublisher]. A primary that is not open yet gets the
// settings when it is.
func (s *Store) PublishSettings(settings outbox.Settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings = settings
	s.passSettings()
}

// passSettings publishes the settings to the primary, if it is open. The caller holds mu, so that
// older settings do not follow newer ones.
func (s *Store) passSettings() {
	if s.primary == nil || s.settings == nil {
		return
	}
	if to, ok := s.primary.Store.(outbox.SettingsPublisher); ok {
		to.PublishSettings(s.settings)
	}
}
