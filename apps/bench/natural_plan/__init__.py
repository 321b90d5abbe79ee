"""NATURAL PLAN (Zheng et al. 2024, arXiv 2406.04520): calendars, meetings and trips."""
