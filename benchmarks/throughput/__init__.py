"""Events a second and CPU, beside a plain loop; the main job on real purchases."""
