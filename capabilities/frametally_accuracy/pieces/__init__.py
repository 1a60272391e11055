"""Makes pieces of footage the units of checks of visits and crossings."""
